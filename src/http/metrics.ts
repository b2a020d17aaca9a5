import type { FastifyInstance } from 'fastify';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export interface Metrics {
  registry: Registry;
  requests: Histogram<'method' | 'route' | 'status'>;
  examples: Counter<'backbone'>;
  batches: Histogram<'backbone'>;
  inference: Histogram<'backbone'>;
}

/** Counters of this process, for Prometheus. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    requests: new Histogram({
      name: 'graft_http_request_seconds',
      help: 'Time to answer a request',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
      registers,
    }),
    examples: new Counter({
      name: 'graft_predicted_examples_total',
      help: 'Examples through the backbone for predictions',
      labelNames: ['backbone'],
      registers,
    }),
    batches: new Histogram({
      name: 'graft_batch_examples',
      help: 'Examples in one backbone pass',
      labelNames: ['backbone'],
      buckets: [1, 2, 4, 8, 16, 32, 64],
      registers,
    }),
    inference: new Histogram({
      name: 'graft_backbone_seconds',
      help: 'Time of one backbone pass',
      labelNames: ['backbone'],
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
      registers,
    }),
  };
}

/** A value that is read when Prometheus asks. */
export function addGauge(metrics: Metrics, name: string, help: string, read: () => number | Promise<number>): void {
  new Gauge({
    name,
    help,
    registers: [metrics.registry],
    async collect() {
      this.set(await read());
    },
  });
}

/** Time every request, by route and not by URL. */
export function measureRequests(app: FastifyInstance, metrics: Metrics): void {
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none';
    metrics.requests.observe(
      { method: request.method, route, status: String(reply.statusCode) },
      reply.elapsedTime / 1000,
    );
  });
}
