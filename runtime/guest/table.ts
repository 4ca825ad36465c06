// What the bridge keeps by number. A plain Map would show itself and its entries to whoever patches
// Map.prototype, or replaces Map before a snapshot's isolate boots: so both are captured here, while the guest
// script is evaluated.

const NativeMap = Map;
const { get, set, delete: remove } = Map.prototype;
const apply = Reflect.apply;

export class Table<T> {
  readonly #entries = new NativeMap<number, T>();

  get(id: number): T | undefined {
    return apply(get, this.#entries, [id]) as T | undefined;
  }

  set(id: number, entry: T): void {
    apply(set, this.#entries, [id, entry]);
  }

  delete(id: number): void {
    apply(remove, this.#entries, [id]);
  }
}
