/** parts/ are pieces that several views show. This one: line drawings beside words, 24 × 24. */
const PATHS = {
  logo: 'M12 22V11M12 15C6 15 4 11 4 6c5 0 8 3 8 9Zm0-3c0-6 3-9 8-9 0 5-2 9-8 9Z',
  folder: 'M3 7a2 2 0 0 1 2-2h4l2 2h8a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2Z',
  file: 'M14 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8Zm0 0v5h5',
  camera:
    'M4 8h3l2-3h6l2 3h3a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1Zm8 9a4 4 0 1 0 0-8 4 4 0 0 0 0 8Z',
  stack: 'M4 6h16v12H4ZM8 3h8M4 14l5-4 4 4 3-2 4 3',
  plus: 'M12 5v14M5 12h14',
  close: 'M6 6l12 12M18 6 6 18',
  check: 'M5 13l5 5L20 7',
  copy: 'M9 9h11v11H9ZM5 15H4V4h11v1',
  download: 'M12 4v11m-5-5 5 5 5-5M5 20h14',
  back: 'M15 5l-7 7 7 7',
  trash: 'M5 7h14M10 4h4M7 7l1 13h8l1-13',
  pen: 'M4 20l1-5L16 4l4 4L9 19Z',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
