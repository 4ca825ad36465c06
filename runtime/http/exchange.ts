export type * from "../../sdk/exchange.ts";
