import { describe } from "vitest";
import { openS3 } from "../../services/storage/s3.ts";
import { describeStorageContract } from "../contracts/storage.ts";
import { hasS3, startS3 } from "../servers/s3.ts";

describe.runIf(hasS3())("an S3 server", () => {
  describeStorageContract("S3", async () => {
    const s3 = await startS3();
    const backend = await openS3(s3.config());
    return {
      backend,
      origin: "http://unused.invalid",
      async [Symbol.asyncDispose]() {
        await backend.close();
        await s3[Symbol.asyncDispose]();
      },
    };
  });
});
