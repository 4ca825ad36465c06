// The package has no types of its own; it is Node's own source.

declare module "readable-stream/lib/stream.js" {
  import Stream from "node:stream";

  export default Stream;
}
