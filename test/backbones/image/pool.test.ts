import t from 'tap';
import { sessionPool } from '../../../src/backbones/image/pool.js';
import type { Session } from '../../../src/backbones/image/session.js';

/** A session whose passes end when they are told to. */
function heldSession() {
  const passes: { end: () => void; fail: (error: Error) => void }[] = [];
  const session = {
    provider: 'cpu',
    unavailableProviders: [],
    embed: () =>
      new Promise<Float32Array>((resolve, reject) => {
        passes.push({ end: () => resolve(new Float32Array(1)), fail: reject });
      }),
  } as unknown as Session;
  return { passes, session };
}

t.test('a pass goes to the session that has the least to do, also after one that failed', async (t) => {
  const [first, second] = [heldSession(), heldSession()];
  const pool = sessionPool([first.session, second.session]);
  const counts = () => [first.passes.length, second.passes.length];
  const embed = () => pool.embed(new Uint8Array(3), 1);
  const passes = [embed(), embed(), embed()];
  t.same(counts(), [2, 1]);
  second.passes[0]!.fail(new Error('broken'));
  await t.rejects(passes[1]!, { message: 'broken' });
  const others = [embed(), embed()];
  t.same(counts(), [2, 3]);
  for (const { end } of [...first.passes, ...second.passes]) end();
  await Promise.all([passes[0], passes[2], ...others]);
});

t.test('one session needs no pool', (t) => {
  const { session } = heldSession();
  t.equal(sessionPool([session]), session);
  t.end();
});
