import type { FastifyInstance } from 'fastify';
import type { Job } from '../../schemas/jobs.js';
import type { VersionManifest } from '../../schemas/versions.js';
import type { DialectContext } from '../dialect.js';

/** Adds to what is answered where one goes from there: paths of this server, behind its proxy's prefix if it has one. */
export function linksOf({ prefix }: Pick<FastifyInstance, 'prefix'>, { BASE_PATH }: DialectContext['config']) {
  const base = `${BASE_PATH}${prefix}`;
  const ofVersion = (model: string, version: number) => {
    const self = `${base}/models/${model}/versions/${version}`;
    return { report: `${self}/report`, predict: `${self}/predict`, card: `${self}/card`, artifact: `${self}/artifact` };
  };
  return {
    /** A path of this dialect, as clients see it. */
    to: (path: string): string => base + path,
    job: (job: Job): Job => ({
      ...job,
      links: {
        self: `${base}/jobs/${job.id}`,
        events: `${base}/jobs/${job.id}/events`,
        ...(job.dataset !== null && { dataset: `${base}/datasets/${job.dataset}` }),
        ...(job.model !== null && job.version !== null && ofVersion(job.model, job.version)),
      },
    }),
    version: (manifest: VersionManifest): VersionManifest => ({
      ...manifest,
      links: {
        self: `${base}/models/${manifest.model}/versions/${manifest.version}`,
        ...ofVersion(manifest.model, manifest.version),
      },
    }),
  };
}
