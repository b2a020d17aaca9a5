import { useEffect, useRef, useState } from 'preact/hooks';
import { graft, noted } from '../core/session.js';
import { words as w } from '../words/words.js';

export type PhotoSource = { file: Blob } | { dataset: string; sha256: string };

/**
 * A photo of this browser or of a data set. It is fetched when it comes into sight, for an `<img>` cannot send a key; where
 * there is none any more its name stands there.
 */
export function Photo({ from, name, large }: { from: PhotoSource; name: string; large?: boolean }) {
  const box = useRef<HTMLSpanElement>(null);
  const [url, setUrl] = useState<string>();
  const [missing, setMissing] = useState(false);
  const file = 'file' in from ? from.file : undefined;
  const [dataset, sha256] = 'file' in from ? [] : [from.dataset, from.sha256];
  useEffect(() => {
    const left = new AbortController();
    let made: string | undefined;
    const show = (blob: Blob) => {
      if (left.signal.aborted) return;
      made = URL.createObjectURL(blob);
      setUrl(made);
    };
    setMissing(false);
    const load = async () => {
      try {
        show(file ?? (await graft.value.datasets.example(dataset!, sha256!, { signal: left.signal })));
      } catch (error) {
        if (left.signal.aborted) return;
        noted(error);
        setMissing(true);
      }
    };
    const sight = new IntersectionObserver(
      (entries) => {
        if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
        sight.disconnect();
        void load();
      },
      { rootMargin: '200px' },
    );
    sight.observe(box.current!);
    return () => {
      left.abort();
      sight.disconnect();
      if (made) URL.revokeObjectURL(made);
      setUrl(undefined);
    };
  }, [file, dataset, sha256]);
  return (
    <span class={large ? 'photo large' : 'photo'} ref={box} title={name}>
      {url && !missing && <img src={url} alt={name} onError={() => setMissing(true)} />}
      {missing && <span class="noPhoto">{name.split('/').at(-1) || w.noPhoto}</span>}
    </span>
  );
}
