/**
 * native/ is the service's own dialect, which openapi.yaml describes: a file a noun, each of which translates and does nothing
 * else. Rules lie in operations/; what other dialects need, too, lies in http/.
 */
import { BEARER_HINT, bearerKey } from '../bearer-key.js';
import { takeRawBodies } from '../bodies.js';
import type { Dialect } from '../dialect.js';
import { renderProblem } from '../problem.js';
import { aliasRoutes } from './aliases.js';
import { backboneRoutes } from './backbones.js';
import { datasetRoutes } from './datasets.js';
import { eventRoutes } from './events.js';
import { fileRoutes } from './files.js';
import { jobRoutes } from './jobs.js';
import { modelRoutes } from './models.js';
import { predictionRoutes } from './predictions.js';
import { trainRoutes } from './train.js';
import { versionRoutes } from './versions.js';

export const native: Dialect = {
  prefix: '/v1',
  key: bearerKey,
  keyHint: BEARER_HINT,
  renderError: renderProblem,
  routes: (operations, context) => async (app) => {
    takeRawBodies(app);
    // `?after=` is how some clients say that they begin.
    app.addHook('preValidation', async ({ query }) => {
      const { after } = query as { after?: unknown };
      if (after === '') delete (query as { after?: unknown }).after;
    });
    for (const routes of [
      datasetRoutes,
      trainRoutes,
      jobRoutes,
      eventRoutes,
      modelRoutes,
      versionRoutes,
      fileRoutes,
      aliasRoutes,
      predictionRoutes,
      backboneRoutes,
    ]) {
      await app.register(routes(operations, context));
    }
  },
};
