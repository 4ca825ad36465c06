/** null when it is no valid domain. */
export declare function toAscii(domain: string): string | null;
