import type { DataFindings, Report } from '../../schemas/report.js';
import { adviceFor } from '../advice.js';
import type { Measured, Networks, Run } from '../run.js';

/** What would help most. */
export async function advise(
  run: Run,
  { backbone }: Networks,
  { evaluation }: Measured,
  data: DataFindings,
): Promise<NonNullable<Report['advice']>> {
  const cards = await run.backbones.list();
  const installed = cards.filter(({ modality }) => modality === run.modality.id).map(({ id }) => id);
  return adviceFor({ evaluation, data, card: backbone.card, modality: run.modality, installed });
}
