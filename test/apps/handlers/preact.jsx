/** @jsxImportSource preact */
// Rendered to a string and to a stream: hooks, context, fragments, escaping, suspense.
import { createContext } from "preact";
import { useContext, useId, useMemo, useState } from "preact/hooks";
import { lazy, Suspense } from "preact/compat";
import { render } from "preact-render-to-string";
import { renderToReadableStream } from "preact-render-to-string/stream";

const Theme = createContext("light");
const Late = lazy(
  () => new Promise((resolve) => setTimeout(() => resolve({ default: () => <em>late</em> }), 1)),
);

function Counter({ from }) {
  const [value] = useState(from);
  const doubled = useMemo(() => value * 2, [value]);
  const theme = useContext(Theme);
  return (
    <button class={theme} style={{ color: "red" }} disabled aria-label="count">
      {value} → {doubled}
    </button>
  );
}

function Page({ name }) {
  return (
    <>
      <h1 id={useId() === "" ? "none" : "some"}>{name}</h1>
      <Theme.Provider value="dark">
        <Counter from={21} />
      </Theme.Provider>
      <div dangerouslySetInnerHTML={{ __html: "<b>raw</b>" }} />
    </>
  );
}

export default {
  fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const headers = { "content-type": "text/html; charset=utf-8" };
    if (pathname.endsWith("/stream")) {
      const page = (
        <Suspense fallback={<i>waiting</i>}>
          <Late />
        </Suspense>
      );
      return new Response(renderToReadableStream(page), { headers });
    }
    return new Response(render(<Page name={searchParams.get("name")} />), { headers });
  },
};
