// A form with a field and a file: curl -F title=Cat -F picture=@cat.png …/uploads
import { defineHandler, EdgeRequest, Res } from "islet/sdk";

const PICTURE_BYTES_MAX = 1024 * 1024;

export default defineHandler(async (ctx, raw: Request) => {
  const form = await new EdgeRequest(raw, ctx).multipart({ maxFileBytes: PICTURE_BYTES_MAX });
  const picture = form.requireFile("picture");
  const digest = await crypto.subtle.digest("SHA-256", await picture.arrayBuffer());
  return Res.created({
    title: form.requireField("title"),
    name: picture.name,
    type: picture.type,
    bytes: picture.size,
    sha256: [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
  });
});
