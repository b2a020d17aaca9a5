/** What the service says of itself. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { PACKAGE_ROOT } from '../../src/config.js';
import { ERRORS } from '../../src/errors.js';
import { appForTest } from '../helpers/app.js';

interface Operation {
  summary?: string;
  responses: Record<string, { content?: Record<string, unknown> }>;
  requestBody?: { content: Record<string, unknown> };
}
interface OpenApi {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { properties: Record<string, { enum?: string[] }> }> };
}

const { send, json } = await appForTest(t, { keys: { alice: 'key' } });

t.test('/openapi.json is openapi.yaml, and needs no key', async (t) => {
  const served = await send('/openapi.json');
  t.equal(served.status, 200);
  t.match(served.headers['content-type'], /^application\/json/);
  t.same(JSON.parse(served.text), parse(await readFile(join(PACKAGE_ROOT, 'openapi.yaml'), 'utf8')));
});

t.test('every route is described, with its bodies and its problems', async (t) => {
  const { openapi, paths, components } = await json<OpenApi>('/openapi.json');
  t.match(openapi, /^3\.1/);
  const routes = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((m) => `${m} ${path}`));
  t.same(
    routes.sort(),
    [
      'get /',
      'get /v1/models/{model}/aliases/{alias}/artifact',
      'get /v1/models/{model}/aliases/{alias}/card',
      'get /v1/models/{model}/aliases/{alias}/report',
      'get /v1/models/{model}/versions/{version}/card',
      'delete /v1/datasets/{id}',
      'delete /v1/models/{model}',
      'delete /v1/models/{model}/aliases/{alias}',
      'delete /v1/models/{model}/versions/{version}',
      'get /livez',
      'get /metrics',
      'get /readyz',
      'get /v1/backbones',
      'get /v1/backbones/catalog',
      'get /v1/datasets/{id}/examples/{sha256}',
      'post /v1/backbones/pull',
      'post /v1/backbones/recommend',
      'post /v1/datasets/drawn',
      'get /v1/datasets',
      'get /v1/datasets/{id}',
      'get /v1/jobs',
      'get /v1/jobs/{id}',
      'get /v1/jobs/{id}/events',
      'get /v1/models',
      'get /v1/models/{model}',
      'get /v1/models/{model}/versions',
      'get /v1/models/{model}/versions/{version}',
      'get /v1/models/{model}/versions/{version}/artifact',
      'get /v1/models/{model}/versions/{version}/files/{path}',
      'get /v1/models/{model}/versions/{version}/predictions',
      'get /v1/models/{model}/versions/{version}/report',
      'get /v1/models/{model}/versions/{version}/report/confusion.svg',
      'get /v1/models/{model}/versions/{version}/report/curves.svg',
      'get /v1/service/jobs',
      'post /v1/datasets',
      'post /v1/jobs',
      'post /v1/jobs/{id}/cancel',
      'post /v1/models/{model}/aliases/{alias}/predict',
      'post /v1/models/{model}/predict',
      'post /v1/models/{model}/versions/{version}/predict',
      'put /v1/models/{model}/aliases/{alias}',
    ].sort(),
  );
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, { summary, responses, requestBody }] of Object.entries(methods)) {
      t.ok(summary, `${method} ${path} has a summary`);
      t.ok(responses.default?.content?.['application/problem+json'], `${method} ${path} describes its problems`);
      t.ok(
        Object.keys(responses).some((status) => /^2/.test(status)),
        `${method} ${path} describes its success`,
      );
      if (method === 'put' || (method === 'post' && !/\/(cancel|drawn)$/.test(path))) {
        t.ok(Object.keys(requestBody?.content ?? {}).length > 0, `${method} ${path} describes its body`);
      }
    }
  }
  t.same(components.schemas.Problem?.properties.code?.enum, Object.keys(ERRORS), 'every code is listed');
});

t.test('the document can be read and tried at /docs', async (t) => {
  const page = await send('/docs');
  t.equal(page.status, 200);
  t.match(page.headers['content-type'], /^text\/html/);
  t.match(page.text, /<html/i);
  t.match(page.headers['content-security-policy'], /default-src 'self'; .*frame-ancestors 'none'/);
});
