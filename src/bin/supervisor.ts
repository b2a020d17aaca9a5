/** Entry point of `npm start`: Redis, worker and server under one supervisor. */
import { join } from 'node:path';
import { runSupervisor } from '../launch/run-supervisor.js';

process.exitCode = await runSupervisor({
  env: process.env,
  entries: { server: join(import.meta.dirname, 'server.js'), worker: join(import.meta.dirname, 'worker.js') },
});
