import { BareLoop, layoutName, layouts } from '../bare-loop.js';
import { type LoadResult, withExpected } from '../load.js';
import { type Peer, startPeers } from '../peers.js';
import { realPhotos } from '../photos.js';
import { median, quantile, ratios, summary } from '../rounds.js';
import type { Section } from '../section.js';
import { BACKBONE, withService } from '../service.js';
import type { Row } from '../table.js';
import { trainModel } from '../train-model.js';

const CONCURRENCY = [1, 8, 32, 128];
const SECONDS = 2;
const PHOTOS = 200;

/** Ours, the limit of the machine and the peers, on the same photos, in alternating rounds. */
export const serving: Section = {
  name: 'serving',
  run: (context) =>
    withService({ models: context.models }, async (service) => {
      const { client, say, rounds } = context;
      const model = await trainModel(service);
      const photos = realPhotos(PHOTOS);
      const requests = await withExpected(
        client,
        service.port,
        photos.map((photo) => ({ path: `/v1/models/${model}/predict`, photo })),
      );
      const loops = await Promise.all(
        layouts().map((layout) => BareLoop.start({ models: context.models, backbone: BACKBONE, photos, layout })),
      );
      const peers = await startPeers(say);
      try {
        const asked = new Map<Peer, typeof requests>();
        for (const peer of peers) {
          say(`${peer.name}: first answers`);
          const first = photos.slice(0, 50).map((photo) => ({ path: '/predict', photo }));
          asked.set(peer, await withExpected(client, peer.port, first));
        }
        for (const loop of loops) await loop.run(1);
        await client.run({ port: service.port, requests, concurrency: 32, seconds: 1 });

        const limits = loops.map((): number[] => []);
        const results = new Map<string, LoadResult[]>();
        const note = (name: string, result: LoadResult) =>
          results.set(name, [...(results.get(name) ?? []), { ...result, answers: [] }]);
        for (let round = 0; round < rounds; round += 1) {
          say(`round ${round + 1} of ${rounds}`);
          for (const [index, loop] of loops.entries()) limits[index]!.push(await loop.run(SECONDS));
          for (const concurrency of CONCURRENCY) {
            const load = { concurrency, seconds: SECONDS };
            note(`Graft ${concurrency}`, await client.run({ port: service.port, requests, ...load }));
          }
          for (const peer of peers) {
            for (const concurrency of CONCURRENCY.slice(0, 3)) {
              const load = { port: peer.port, requests: asked.get(peer)!, concurrency, seconds: SECONDS };
              note(`${peer.name} ${concurrency}`, await client.run(load));
            }
          }
        }
        return rowsOf({ limits, names: loops.map(({ layout }) => layoutName(layout)), results, peers });
      } finally {
        await Promise.all([...loops.map((loop) => loop.close()), ...peers.map((peer) => peer.stop())]);
      }
    }),
};

function rowsOf(measured: {
  limits: number[][];
  names: string[];
  results: Map<string, LoadResult[]>;
  peers: Peer[];
}): Row[] {
  const { limits, names, results, peers } = measured;
  const best = limits.reduce((most, rates, index) => (median(rates) > median(limits[most]!) ? index : most), 0);
  const of = (name: string) => results.get(name)!;
  const rates = (name: string) => of(name).map(({ perSecond }) => perSecond);
  const p99 = (name: string) => of(name).map(({ latencies }) => quantile(latencies, 0.99));
  const clientCores = median(of('Graft 32').map(({ cores }) => cores));
  const rows: Row[] = [
    {
      name: 'predict throughput at concurrency 32, against the limit of the same run',
      ...summary(ratios(rates('Graft 32'), limits[best]!)),
      unit: '×',
      goal: { atLeast: 0.9 },
      note: `limit: ${names[best]}; the load client's ${clientCores.toFixed(2)} cores count against us`,
    },
  ];
  const byRate = peers.toSorted((a, b) => median(rates(`${b.name} 32`)) - median(rates(`${a.name} 32`)));
  const byLatency = peers.toSorted((a, b) => median(p99(`${a.name} 8`)) - median(p99(`${b.name} 8`)));
  if (peers.length > 0) {
    rows.push(
      {
        name: 'predict throughput at concurrency 32, against the best peer',
        ...summary(ratios(rates('Graft 32'), rates(`${byRate[0]!.name} 32`))),
        unit: '×',
        goal: { atLeast: 2 },
        note: byRate[0]!.name,
      },
      {
        name: 'p99 latency at concurrency 8, against the best peer',
        ...summary(ratios(p99('Graft 8'), p99(`${byLatency[0]!.name} 8`))),
        unit: '×',
        goal: { atMost: 0.5 },
        note: byLatency[0]!.name,
      },
    );
  }
  for (const [index, name] of names.entries()) {
    rows.push({ name: `limit, ${name}`, ...summary(limits[index]!), unit: '/s' });
  }
  for (const [name, list] of results) {
    const p50 = median(list.map(({ latencies }) => quantile(latencies, 0.5)));
    rows.push({
      name: `${name.replace(/ (\d+)$/, ' at concurrency $1')}`,
      ...summary(rates(name)),
      unit: '/s',
      note: `p50 ${p50.toFixed(1)} ms, p99 ${median(p99(name)).toFixed(1)} ms`,
    });
  }
  return rows;
}
