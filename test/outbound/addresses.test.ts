import t from 'tap';
import { checkAddress, isAddress, parseAddress } from '../../src/outbound/addresses.js';

t.test('only http and https without a password are addresses', (t) => {
  t.equal(parseAddress('https://a.example/x').host, 'a.example');
  for (const bad of ['ftp://a.example/x', 'file:///etc/passwd', 'nothing', 'data:,x']) {
    t.throws(() => parseAddress(bad), { code: 'invalid_request' }, bad);
  }
  t.throws(() => parseAddress('https://me:secret@a.example/x'), { message: /^(?!.*secret).*password/ });
  t.end();
});

t.test('http is asked on loopback and on a host that was given, nowhere else', (t) => {
  for (const url of ['https://a.example/', 'http://localhost/', 'http://127.0.0.1:8000/', 'http://[::1]/']) {
    t.doesNotThrow(() => checkAddress(new URL(url)), url);
  }
  for (const url of [
    'http://a.example/',
    'http://127.0.0.1.evil.example/',
    'ftp://a.example/',
    'https://a:b@c.example',
  ]) {
    t.throws(() => checkAddress(new URL(url), 'mirror.lan'), { code: 'download_failed' }, url);
  }
  t.doesNotThrow(() => checkAddress(new URL('http://mirror.lan/x'), 'mirror.lan'));
  t.end();
});

t.test('addresses and files are told apart', (t) => {
  t.ok(isAddress('https://a.example/x.onnx') && isAddress('file:///x.onnx'));
  t.notOk(isAddress('x.onnx') || isAddress('/a/x.onnx') || isAddress('../https:x'));
  t.end();
});
