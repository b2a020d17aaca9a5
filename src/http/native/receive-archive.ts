import type { FastifyRequest } from 'fastify';
import { AppError } from '../../errors.js';
import type { Dataset } from '../../schemas/datasets.js';
import type { ApiDependencies } from '../dependencies.js';
import { claimedDigest, fileName, formLimits, readForm } from '../upload.js';

/**
 * A data set from the file of a form, with the form's other fields. A fault behind the file, such as a second one, leaves
 * no data set.
 * @throws AppError `missing_file`, and what `datasets.create` and `readForm` throw
 */
export async function receiveArchive(
  request: FastifyRequest,
  { datasets, config }: Pick<ApiDependencies, 'datasets' | 'config'>,
  signal: AbortSignal,
): Promise<{ dataset: Dataset; fields: Map<string, string> }> {
  const { tenant } = request;
  const expectedSha256 = claimedDigest(request);
  let dataset: Dataset | undefined;
  try {
    const fields = await readForm(
      request,
      formLimits(config, { fileSize: config.MAX_UPLOAD_BYTES + 1, files: 1 }),
      async (part) => {
        const by = request.apiKey ?? 'local';
        const upload = { tenant, by, source: part.file, name: fileName(part.filename) ?? null, signal };
        dataset = await datasets.create({ ...upload, ...(expectedSha256 && { expectedSha256 }) });
      },
    );
    if (!dataset) throw new AppError('missing_file', 'The form has no file. Send the archive as the field `file`.');
    return { dataset, fields };
  } catch (error) {
    if (dataset) await datasets.delete(tenant, dataset.id);
    throw error;
  }
}
