import type { Storage } from '../../src/storage/contract.js';

/** Says which calls reach a storage, as `list tenants/default/jobs`. */
export function counting(storage: Storage): { storage: Storage; calls: string[] } {
  const calls: string[] = [];
  const counted = new Proxy(storage, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        calls.push(`${String(name)} ${args[0]}`);
        return value.apply(target, args);
      };
    },
  });
  return { storage: counted, calls };
}
