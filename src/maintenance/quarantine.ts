import type { Storage } from '../storage/contract.js';

/** Move a file out of the way, to the same key under `quarantine/`: nothing that somebody may miss is deleted. */
export async function quarantine(storage: Storage, key: string): Promise<void> {
  const object = await storage.get(key);
  if (!object) return;
  await storage.put(`quarantine/${key}`, object.stream);
  await storage.delete(key);
}
