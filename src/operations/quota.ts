import { AppError } from '../errors.js';
import type { OperationsDependencies } from './dependencies.js';

/**
 * Refuse what would take a tenant beyond its share of the disk.
 * @param more bytes that are to come, where that is known
 * @throws AppError `quota_exceeded`
 */
export async function refuseBeyondQuota(
  { datasets, registry, limits }: Pick<OperationsDependencies, 'datasets' | 'registry' | 'limits'>,
  tenant: string,
  more = 0,
): Promise<void> {
  const most = limits.MAX_TENANT_BYTES;
  if (most === 0) return;
  const used = (await datasets.storedBytes(tenant)) + (await registry.storedBytes(tenant));
  if (used < most && used + more <= most) return;
  throw new AppError(
    'quota_exceeded',
    `Data sets and versions take ${used} bytes${more > 0 ? `, and this is ${more} more` : ''}; at most ${most} are allowed (MAX_TENANT_BYTES). Delete some.`,
    { details: { bytes: used, max_bytes: most } },
  );
}
