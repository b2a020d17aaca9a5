import type { OperationsDependencies } from './dependencies.js';

export interface Readiness {
  ready: boolean;
  /** `ok`, or what is wrong. */
  checks: { backbone: string; redis: string; disk: string };
  /** Why the default backbone does not load; for the log. */
  fault?: Error;
}

/** The service itself. */
export function serviceOperations({
  backbones,
  queue,
  defaultBackbone,
  lowDisks,
}: Pick<OperationsDependencies, 'backbones' | 'queue' | 'defaultBackbone' | 'lowDisks'>) {
  const loadDefault = async () => backbones.load(await defaultBackbone.id());
  return {
    /**
     * Whether requests may be sent here. Predictions need the default backbone. Without Redis they go on, and new jobs are
     * refused; a Redis that may throw jobs away is never ready. A disk that is nearly full is told, and predictions go on.
     */
    async readiness(): Promise<Readiness> {
      const [fault, policy, low] = await Promise.all([
        loadDefault().then(
          () => undefined,
          (error: Error) => error,
        ),
        queue.evictionPolicy().catch(() => 'away'),
        lowDisks(),
      ]);
      const checks = {
        backbone: fault ? 'does not load; the log says why' : 'ok',
        redis:
          policy === 'noeviction'
            ? 'ok'
            : policy === 'away'
              ? 'does not answer: no new jobs'
              : `maxmemory-policy is ${policy}; it must be noeviction, or jobs may be lost`,
        disk: low.length === 0 ? 'ok' : `nearly full; uploads and jobs may fail. ${low.join(' ')}`,
      };
      const ready = !fault && (policy === 'noeviction' || policy === 'away');
      return { ready, checks, ...(fault && { fault }) };
    },
  };
}
