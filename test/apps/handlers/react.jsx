// Streamed server rendering: suspense, `use`, context, metadata, errors in a boundary; static markup.
import { createContext, Suspense, use, useContext, useId, useState } from "react";
import { renderToReadableStream, renderToStaticMarkup } from "react-dom/server";

const User = createContext("nobody");

function Comments({ comments }) {
  return (
    <ul>
      {use(comments).map((comment) => (
        <li key={comment}>{comment}</li>
      ))}
    </ul>
  );
}

function Failing() {
  throw new Error("only on the server");
}

function Hello() {
  const [count] = useState(1);
  return (
    <label htmlFor={useId()}>
      Hello, {useContext(User)} × {count}
    </label>
  );
}

function Page({ name, comments }) {
  return (
    <html lang="en">
      <head>
        <title>React</title>
      </head>
      <body>
        <User value={name}>
          <Hello />
        </User>
        <Suspense fallback={<p>loading</p>}>
          <Comments comments={comments} />
        </Suspense>
        <Suspense fallback={<p>fallback</p>}>
          <Failing />
        </Suspense>
      </body>
    </html>
  );
}

export default {
  async fetch(request, { HELD_URL }) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname.endsWith("/static")) return new Response(renderToStaticMarkup(<Hello />));
    const comments = searchParams.has("held")
      ? fetch(HELD_URL).then((response) => response.json())
      : new Promise((resolve) => setTimeout(() => resolve(["first", "second"]), 5));
    const errors = [];
    const stream = await renderToReadableStream(
      <Page name={searchParams.get("name")} comments={comments} />,
      {
        signal: request.signal,
        bootstrapModules: ["/main.js"],
        onError: ({ message }) => void errors.push(message),
      },
    );
    if (searchParams.has("whole")) await stream.allReady;
    return new Response(stream, {
      headers: { "content-type": "text/html", "x-errors": errors.join() },
    });
  },
};
