/** Endings of files that are texts, each a text of its own; what holds many is a table. */
const TEXTS = new Set('txt text md rst html htm log eml'.split(' '));

/** Whether a file of this name may be a text; one without any ending may, as those of newsgroups and mail are. */
export function mayBeText(name: string): boolean {
  const file = name.slice(name.lastIndexOf('/') + 1).toLowerCase();
  const dot = file.lastIndexOf('.');
  if (dot === 0 || file.startsWith('.')) return false;
  const ending = file.slice(dot + 1);
  return dot < 0 || TEXTS.has(ending) || /^\d+$/.test(ending);
}
