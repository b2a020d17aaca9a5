import { createHash } from 'node:crypto';
import { Marked } from 'marked';

const STYLE = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; display: block; overflow-x: auto } th, td { border-bottom: 1px solid #8884; padding: .3rem .8rem .3rem 0; text-align: left }
pre { overflow-x: auto; background: #8881; padding: .8rem; border-radius: .4rem } code { font-size: .9em; overflow-wrap: anywhere }`;

/** What a card as a page may do: be read, in its own style. */
export const CARD_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; frame-ancestors 'none'; sandbox`;

/** Labels and names are other people's: what of them is HTML, a link or an image is shown as it was written. */
const marked = new Marked({
  async: false,
  renderer: { html: ({ raw }) => escaped(raw), link: ({ raw }) => escaped(raw), image: ({ raw }) => escaped(raw) },
});

/** A model card, which is Markdown, as a page. */
export function cardPage(markdown: string, title: string): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(title)}</title><style>${STYLE}</style></head>
<body>
${marked.parse(markdown) as string}</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
