/** Answers, unless it is asked to wedge: with a builtin that ignores every time-out. */
export const WEDGER = `export default {
    fetch(request) {
      if (new URL(request.url).searchParams.has("wedge")) {
        Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);
      }
      return new Response("well");
    },
  };`;
