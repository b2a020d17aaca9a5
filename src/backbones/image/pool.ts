import type { Session } from './session.js';

/** Several sessions of one backbone as one: a pass goes to the session that has the least to do. */
export function sessionPool(sessions: Session[]): Session {
  const [first] = sessions;
  if (sessions.length === 1) return first!;
  const passes = sessions.map(() => 0);
  return {
    ...first!,
    async embed(pixels, count, onStart) {
      const least = passes.indexOf(Math.min(...passes));
      passes[least]! += 1;
      try {
        return await sessions[least]!.embed(pixels, count, onStart);
      } finally {
        passes[least]! -= 1;
      }
    },
  };
}
