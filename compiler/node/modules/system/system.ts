// node:os: what packages ask to find out where they are. Nothing of the machine shows.

export const EOL = "\n";
export const devNull = "/dev/null";

export const arch = (): string => "";
export const machine = (): string => "";
export const platform = (): string => "linux";
export const type = (): string => "Linux";
export const release = (): string => "";
export const version = (): string => "";
export const endianness = (): string => "LE";
export const homedir = (): string => "/";
export const tmpdir = (): string => "/tmp";
export const hostname = (): string => "localhost";
export const cpus = (): readonly object[] => [];
export const availableParallelism = (): number => 1;
export const freemem = (): number => 0;
export const totalmem = (): number => 0;
export const uptime = (): number => 0;
export const loadavg = (): number[] => [0, 0, 0];
export const networkInterfaces = (): object => ({});
