import { createWriteStream, createReadStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { AppError, isErrno } from '../errors.js';
import { newId } from '../ids.js';
import type { Storage } from '../storage/contract.js';
import type { ReceivedUpload } from './receive-upload.js';

/** An archive that lies in storage until a job has read it. */
export type KeptUpload = Omit<ReceivedUpload, 'path'>;

/**
 * Archives that wait for a job: `tenants/<tenant>/uploads/<data set>/<number>`. The job may run on another machine than the
 * server that received them, so that they go through storage.
 */
export class KeptUploads {
  readonly #storage: Storage;
  readonly #temporaryFolder: string;

  constructor(options: { storage: Storage; temporaryFolder: string }) {
    this.#storage = options.storage;
    this.#temporaryFolder = options.temporaryFolder;
  }

  /** Put archives into storage, all or none. @throws AppError `storage_full` */
  async keep(tenant: string, id: string, uploads: ReceivedUpload[]): Promise<KeptUpload[]> {
    try {
      for (const [i, { path }] of uploads.entries()) {
        await this.#storage.put(`${folderOf(tenant, id)}/${i}`, createReadStream(path));
      }
    } catch (error) {
      await this.drop(tenant, id).catch(() => undefined);
      throw error;
    }
    return uploads.map(({ path, ...upload }) => upload);
  }

  /** Fetch them into temporary files, which are the caller's to discard. @throws AppError `storage_full`, `dataset_not_found` */
  async fetch(tenant: string, id: string, kept: KeptUpload[]): Promise<ReceivedUpload[]> {
    await mkdir(this.#temporaryFolder, { recursive: true });
    const fetched: ReceivedUpload[] = [];
    try {
      for (const [i, upload] of kept.entries()) {
        const object = await this.#storage.get(`${folderOf(tenant, id)}/${i}`);
        if (!object) {
          throw new AppError('dataset_not_found', 'The archive of this upload is no longer there. Send it again.');
        }
        const path = join(this.#temporaryFolder, `${newId('ds')}.upload`);
        fetched.push({ ...upload, path });
        await pipeline(object.stream, createWriteStream(path, { flags: 'wx', highWaterMark: 1024 * 1024 }));
      }
      return fetched;
    } catch (error) {
      for (const { path } of fetched) await rm(path, { force: true });
      if (!isErrno(error, 'ENOSPC', 'EDQUOT')) throw error;
      throw new AppError('storage_full', 'The disk for uploads is full. Free some space and try again.', {
        cause: error,
      });
    }
  }

  async drop(tenant: string, id: string): Promise<void> {
    await this.#storage.delete(folderOf(tenant, id));
  }
}

function folderOf(tenant: string, id: string): string {
  return `tenants/${tenant}/uploads/${id}`;
}
