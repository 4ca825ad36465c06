// Data routes on the server: loaders, actions, redirects, error boundaries, rendered to a string.
import { renderToString } from "react-dom/server";
import {
  createStaticHandler,
  createStaticRouter,
  data,
  Form,
  Link,
  Outlet,
  redirect,
  StaticRouterProvider,
  useActionData,
  useLoaderData,
  useParams,
  useRouteError,
} from "react-router";

const pets = new Map([["1", "Rex"]]);

const routes = [
  {
    path: "/react-router",
    element: <Layout />,
    errorElement: <Failed />,
    children: [
      { index: true, loader: () => [...pets.keys()], element: <List /> },
      {
        path: "pets/:id",
        loader({ params: { id } }) {
          if (!pets.has(id)) throw data(`no pet ${id}`, { status: 404 });
          return pets.get(id);
        },
        async action({ request, params: { id } }) {
          const name = (await request.formData()).get("name");
          if (name === "") return data({ error: "a name, please" }, { status: 400 });
          pets.set(id, name);
          return redirect(`/react-router/pets/${id}`);
        },
        element: <Pet />,
      },
    ],
  },
];

function Layout() {
  return (
    <main>
      <Link to="/react-router">home</Link>
      <Outlet />
    </main>
  );
}

function List() {
  return useLoaderData().map((id) => (
    <Link key={id} to={`pets/${id}`}>
      {id}
    </Link>
  ));
}

function Pet() {
  return (
    <Form method="post">
      {useParams().id}: {useLoaderData()} {useActionData()?.error}
    </Form>
  );
}

function Failed() {
  return <strong>{useRouteError().data}</strong>;
}

const { query, dataRoutes } = createStaticHandler(routes);

export default {
  async fetch(request) {
    const context = await query(request);
    if (context instanceof Response) return context;
    const router = createStaticRouter(dataRoutes, context);
    const page = renderToString(
      <StaticRouterProvider router={router} context={context} hydrate={false} />,
    );
    return new Response(page, {
      status: context.statusCode,
      headers: { "content-type": "text/html; charset=utf-8" },
    });
  },
};
