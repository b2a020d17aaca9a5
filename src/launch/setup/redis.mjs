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

/** What to do by hand, on the system that this is. */
function advice() {
  const elsewhere = 'or set REDIS_URL to a Redis that runs elsewhere';
  if (process.platform === 'win32') {
    return `There is no redis-server for Windows: install WSL (\`wsl --install\`) and start Graft in it, ${elsewhere}.`;
  }
  return `There is no redis-server on this machine: ${byHand()}, ${elsewhere}.`;
}

function byHand() {
  const root = process.getuid?.() === 0 ? '' : 'sudo ';
  if (onPath('apt-get')) return `run \`${root}apt-get install redis-server\``;
  if (onPath('dnf')) return `run \`${root}dnf install redis\` (on Fedora 41 and newer: valkey-compat-redis)`;
  if (onPath('apk')) return `run \`${root}apk add redis\``;
  if (onPath('pacman')) return `run \`${root}pacman -S redis\``;
  if (process.platform === 'darwin') return 'install Homebrew (https://brew.sh), then run `brew install redis`';
  return 'install redis-server';
}
