// What an attacker's page tries against a service. It runs in the page and nowhere else.
globalThis.attempt = async (what, target) => {
  const { url, dataset, archive, image } = target;
  const form = (withModel) => {
    const data = new FormData();
    data.set('file', new Blob([new Uint8Array(archive)]), 'evil.zip');
    if (withModel) data.set('model', 'evil');
    return data;
  };
  const shown = async (answer) => `${answer.type === 'opaque' ? '' : await answer.text()}`;
  const settled = (element) =>
    new Promise((done) => {
      element.onload = () => done('loaded');
      element.onerror = () => done('');
      setTimeout(() => done(''), 1500);
      document.body.append(element);
    });
  const submit = async (enctype) => {
    const frame = document.createElement('iframe');
    frame.name = `frame-${enctype}`;
    document.body.append(frame);
    const element = document.createElement('form');
    Object.assign(element, { method: 'post', action: `${url}/v1/jobs`, enctype, target: frame.name });
    const field = document.createElement('input');
    Object.assign(field, { name: `{"model":"evil","dataset":"${dataset}","description":"`, value: '"}' });
    element.append(field);
    document.body.append(element);
    element.submit();
    await new Promise((done) => setTimeout(done, 200));
    return frame.contentDocument?.body?.innerText ?? '';
  };
  const fetched = (path, init) => fetch(url + path, init).then(shown);
  const simple = (path, type, body) =>
    fetched(path, { method: 'POST', mode: 'no-cors', headers: { 'content-type': type }, body });
  const json = { 'content-type': 'application/json' };
  const settings = JSON.stringify({ model: 'evil', dataset });
  try {
    switch (what) {
      case 'post-form-no-cors':
        return await fetched('/v1/jobs', { method: 'POST', mode: 'no-cors', body: form(true) });
      case 'post-text-no-cors':
        return await simple('/v1/jobs', 'text/plain', settings);
      case 'post-urlencoded-no-cors':
        return await simple('/v1/datasets', 'application/x-www-form-urlencoded', new Uint8Array(archive));
      case 'post-blob-no-cors':
        return await simple('/v1/models/m/predict', 'text/plain', new Uint8Array(image));
      case 'post-json-cors':
        return await fetched('/v1/jobs', { method: 'POST', headers: json, body: settings });
      case 'put-cors':
        return await fetched('/v1/models/m/aliases/evil', { method: 'PUT', headers: json, body: '{"version":1}' });
      case 'delete-cors':
        return await fetched('/v1/models/m?force=true', { method: 'DELETE' });
      case 'delete-keepalive':
        return await fetched(`/v1/datasets/${dataset}`, { method: 'DELETE', keepalive: true });
      case 'beacon':
        navigator.sendBeacon(`${url}/v1/datasets`, form(false));
        await new Promise((done) => setTimeout(done, 200));
        return '';
      case 'xhr-post':
      case 'xhr-delete': {
        const request = new XMLHttpRequest();
        const answered = new Promise((done) => {
          request.onloadend = () => done(request.responseText);
        });
        request.open(
          what === 'xhr-post' ? 'POST' : 'DELETE',
          `${url}/v1/${what === 'xhr-post' ? 'datasets' : 'models/m'}`,
        );
        request.send(what === 'xhr-post' ? form(false) : null);
        return await answered;
      }
      case 'form-multipart':
        return await submit('multipart/form-data');
      case 'form-text':
        return await submit('text/plain');
      case 'form-urlencoded':
        return await submit('application/x-www-form-urlencoded');
      case 'get-cors':
        return await fetched('/v1/datasets', {});
      case 'get-no-cors':
        return await fetched('/v1/models', { mode: 'no-cors' });
      case 'event-source':
        return await new Promise((done) => {
          const source = new EventSource(`${url}/v1/jobs/job_${'0'.repeat(26)}/events`);
          source.onopen = () => done('opened');
          source.onmessage = ({ data }) => done(data);
          source.onerror = () => done('');
        });
      case 'image':
        return await settled(
          Object.assign(new Image(), { src: `${url}/v1/models/m/versions/1/files/head/weights.bin` }),
        );
      case 'script':
        return await settled(Object.assign(document.createElement('script'), { src: `${url}/v1/models` }));
      case 'frame': {
        const frame = document.createElement('iframe');
        frame.src = `${url}/v1/models`;
        await settled(frame);
        return frame.contentDocument?.body?.innerText ?? '';
      }
      case 'popup': {
        const opened = window.open(`${url}/v1/models`);
        await new Promise((done) => setTimeout(done, 200));
        const text = opened?.document.body.innerText ?? '';
        opened?.close();
        return text;
      }
    }
  } catch {
    return '';
  }
};
