import { existsSync } from 'node:fs';
import { onPath } from './run.mjs';
import { SetupError } from './set-up.mjs';

const APT = { DEBIAN_FRONTEND: 'noninteractive' };

/** Install `redis-server` where this may be done without asking: by root on Debian and its kin, or with Homebrew. */
export function installRedis() {
  const how = () => (onPath('apt-get') && process.getuid?.() === 0 ? 'apt-get' : onPath('brew') ? 'brew' : undefined);
  return {
    get title() {
      return `Installing redis-server${how() ? ` (${how()})` : ''}`;
    },
    needed: () => !onPath('redis-server'),
    async run(command) {
      if (how() === 'apt-get') await withApt(command);
      else if (how() === 'brew') await must(command, ['brew', 'install', 'redis']);
      if (!onPath('redis-server')) throw new SetupError(advice());
    },
  };
}

async function withApt(command) {
  await must(command, ['apt-get', 'update', '-q'], APT);
  await must(command, ['apt-get', 'install', '-y', '-q', '--no-install-recommends', 'redis-server'], APT);
  // Debian starts a Redis on port 6379 with the package. Graft runs its own; nobody asked for that one.
  if (existsSync('/run/systemd/system')) await command(['systemctl', 'disable', '--now', 'redis-server']);
  else if (existsSync('/run/redis/redis-server.pid')) await command(['/etc/init.d/redis-server', 'stop']);
}

async function must(command, words, env = {}) {
  const { ok, output } = await command(words, { env });
  if (!ok) throw new SetupError(`${output}\n\`${words.join(' ')}\` failed; it says why above. ${advice()}`);
}

function advice() {
  const install = onPath('apt-get') ? 'run `sudo apt-get install redis-server`' : 'install redis-server';
  return `There is no redis-server on this machine: ${install}, or set REDIS_URL to a Redis that runs elsewhere.`;
}
