/** The call that classifies a photo, as people paste it into a terminal or a program. No package of ours is needed. */

export interface CallTarget {
  /** Address of the service, with a slash at its end. */
  base: string;
  model: string;
  /** Undefined: the latest version. */
  alias?: string | undefined;
  /** Whether the service wants a key. */
  hasKey: boolean;
}

export interface Call {
  id: 'curl' | 'javascript' | 'python';
  title: string;
  text: string;
}

export function callsOf(target: CallTarget): Call[] {
  const url = addressOf(target);
  const { hasKey } = target;
  return [
    {
      id: 'curl',
      title: 'curl',
      text: [
        `curl ${hasKey ? '-H "Authorization: Bearer $GRAFT_KEY" ' : ''}\\`,
        `  --data-binary @photo.jpg \\`,
        `  '${url}'`,
      ]
        .join('\n')
        .replace('curl \\\n ', 'curl'),
    },
    {
      id: 'javascript',
      title: 'JavaScript',
      text: [
        `// Node 20 or newer`,
        `import { readFile } from 'node:fs/promises';`,
        ``,
        `const answer = await fetch('${url}', {`,
        `  method: 'POST',`,
        ...(hasKey ? [`  headers: { authorization: \`Bearer \${process.env.GRAFT_KEY}\` },`] : []),
        `  body: await readFile('photo.jpg'),`,
        `});`,
        `const { results } = await answer.json();`,
        `console.log(results[0].predictions[0]);`,
      ].join('\n'),
    },
    {
      id: 'python',
      title: 'Python',
      text: [
        ...(hasKey ? ['import os', ''] : []),
        `import requests`,
        ``,
        `with open("photo.jpg", "rb") as photo:`,
        `    answer = requests.post(`,
        `        "${url}",`,
        ...(hasKey ? [`        headers={"Authorization": f"Bearer {os.environ['GRAFT_KEY']}"},`] : []),
        `        data=photo,`,
        `    )`,
        `answer.raise_for_status()`,
        `print(answer.json()["results"][0]["predictions"][0])`,
      ].join('\n'),
    },
  ];
}

function addressOf({ base, model, alias }: CallTarget): string {
  const home = `${base}v1/models/${encodeURIComponent(model)}`;
  return alias === undefined ? `${home}/predict` : `${home}/aliases/${encodeURIComponent(alias)}/predict`;
}
