import t from 'tap';
import { appForTest } from '../../helpers/app.js';
import { content } from '../../helpers/light-content.js';

t.test('backbones are listed with what this server does with them', async (t) => {
  const { json, publish, send } = await appForTest(t);
  type List = { data: Record<string, unknown>[]; has_more: boolean };
  const before = await json<List>('/v1/backbones');
  t.match(before, { has_more: false, data: [{ id: 'light', default: true, loaded: false, provider: null }] });
  t.equal(before.data.length, 1);
  t.notOk('file' in before.data[0]!, 'what lies on the disk is nobody’s business');
  await publish();
  await send('/v1/models/m/predict', { method: 'POST', body: content(0) });
  t.match(await json('/v1/backbones'), { data: [{ loaded: true, provider: 'cpu', unavailable_providers: [] }] });
});
