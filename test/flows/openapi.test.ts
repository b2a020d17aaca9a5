/** What the service says of itself. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { PACKAGE_ROOT } from '../../src/config.js';
import { ERRORS } from '../../src/errors.js';
import { send } from '../helpers/http.js';
import { serviceForTest } from '../helpers/service.js';

const { url } = await serviceForTest(t, { worker: false });
const file = join(PACKAGE_ROOT, 'openapi.yaml');
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

await t.test('/openapi.json is openapi.yaml', async (t) => {
  const served = await send(url, '/openapi.json');
  t.equal(served.status, 200);
  t.match(served.headers['content-type'], /^application\/json/);
  t.same(JSON.parse(served.text), parse(await readFile(file, 'utf8')));
});

await t.test('every route is described, with its bodies and its problems', async (t) => {
  const { openapi, paths, components } = JSON.parse((await send(url, '/openapi.json')).text) as OpenApi;
  t.match(openapi, /^3\.1/);
  const routes = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((m) => `${m} ${path}`));
  t.same(
    routes.sort(),
    [
      'delete /v1/datasets/{id}',
      'delete /v1/models/{model}',
      'delete /v1/models/{model}/aliases/{alias}',
      'delete /v1/models/{model}/versions/{version}',
      'get /livez',
      'get /metrics',
      'get /readyz',
      'get /v1/backbones',
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
      'get /v1/models/{model}/versions/{version}/files/{*}',
      'get /v1/models/{model}/versions/{version}/predictions',
      'get /v1/models/{model}/versions/{version}/report',
      'get /v1/models/{model}/versions/{version}/report/confusion.svg',
      'get /v1/models/{model}/versions/{version}/report/curves.svg',
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
      if (method === 'put' || (method === 'post' && !path.endsWith('/cancel'))) {
        t.ok(Object.keys(requestBody?.content ?? {}).length > 0, `${method} ${path} describes its body`);
      }
    }
  }
  t.same(components.schemas.Problem?.properties.code?.enum, Object.keys(ERRORS), 'every code is listed');
});

await t.test('the document can be read and tried at /docs', async (t) => {
  const page = await fetch(`${url}/docs`);
  t.equal(page.status, 200);
  t.match(page.headers.get('content-type'), /^text\/html/);
  t.match(await page.text(), /<html/i);
});

await t.test('/metrics is text that Prometheus reads, and counts', async (t) => {
  const before = await send(url, '/metrics');
  t.match(before.headers['content-type'], /^text\/plain/);
  const read = (text: string) => {
    const values = new Map<string, number>();
    const typed = new Set<string>();
    for (const line of text.split('\n')) {
      if (line === '' || line.startsWith('# HELP ')) continue;
      const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram|summary|untyped)$/.exec(line);
      if (type) {
        typed.add(type[1]!);
        continue;
      }
      const sample = /^([a-zA-Z_:][\w:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\]|\\.)*",?)*\})? (\S+)$/.exec(line);
      t.ok(sample, line);
      const value = sample![3] === '+Inf' ? Number.POSITIVE_INFINITY : Number(sample![3]);
      t.ok(sample![3] === 'Nan' || sample![3] === 'NaN' || !Number.isNaN(value), line);
      t.ok(typed.has(sample![1]!) || typed.has(sample![1]!.replace(/_(bucket|sum|count)$/, '')), `${line} has a type`);
      values.set(`${sample![1]}${sample![2] ?? ''}`, value);
    }
    return values;
  };
  const first = read(before.text);
  t.ok([...first.keys()].some((name) => name.startsWith('graft_')));
  for (const name of ['graft_jobs_waiting', 'graft_waiting_examples', 'graft_heads']) t.equal(first.get(name), 0, name);
  for (let i = 0; i < 5; i += 1) await send(url, '/v1/models/none');
  const sum = (values: Map<string, number>) =>
    [...values].reduce(
      (total, [name, value]) => total + (/^graft_\w*requests?\w*_(count|total)/.test(name) ? value : 0),
      0,
    );
  t.ok(sum(read((await send(url, '/metrics')).text)) >= sum(first) + 5, 'requests are counted');
});
