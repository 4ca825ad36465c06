// The smallest handler. The counter keeps everybody from caching the answer.
let count = 0;

export default {
  fetch(): Response {
    count += 1;
    return new Response(`Hello World ${count}`);
  },
};
