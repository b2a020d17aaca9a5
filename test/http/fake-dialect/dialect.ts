/** A dialect that nobody speaks: its own place for the key, its own errors, one route. All that it needs lies in this folder. */

import { bodyOf, readBody, takeRawBodies } from '../../../src/http/bodies.js';
import type { Dialect } from '../../../src/http/dialect.js';

export const fake: Dialect = {
  prefix: '/fake',
  key: ({ headers }) => headers['x-fake-key']?.toString(),
  keyHint: '`X-Fake-Key: <key>`',
  renderError: ({ status, code, message }, requestId) => ({
    status,
    headers: { 'x-oops': code },
    type: 'text/plain; charset=utf-8',
    body: `oops ${code}: ${message} (${requestId})`,
  }),
  routes:
    ({ classify }, { config, predictionBodies }) =>
    async (app) => {
      takeRawBodies(app);
      app.post('/classify/:model', { schema: { hide: true }, config: { scope: 'predict' } }, async (request) => {
        const share = predictionBodies.open();
        try {
          const { results } = await classify({
            caller: request.caller,
            model: (request.params as { model: string }).model,
            reference: 'latest',
            read: async () => {
              const bytes = await readBody(bodyOf(request), config.MAX_PREDICT_BYTES, 'MAX_PREDICT_BYTES', share);
              return { topK: 1, examples: [{ name: 'it', bytes }] };
            },
          });
          return { is: results[0]!.predictions[0]!.label };
        } finally {
          share.close();
        }
      });
    },
};
