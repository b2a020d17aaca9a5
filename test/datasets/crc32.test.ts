import * as fc from 'fast-check';
import t from 'tap';
import { crc32, tableCrc32 } from '../../src/datasets/crc32.js';

t.test('the checksum is that of zip and PNG', (t) => {
  t.equal(crc32(Buffer.from('123456789')), 0xcbf43926);
  t.equal(crc32(Buffer.alloc(0)), 0);
  t.end();
});

t.test('the table gives what Node gives, for any bytes', (t) => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => tableCrc32(bytes) === crc32(bytes)));
  t.end();
});
