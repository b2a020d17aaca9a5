/** How to give a text to a downloaded model, exactly as the API does; lines of Markdown. */
export function textUsage(): string[] {
  return [
    'The bundle holds two programs that compute what the API answers, without any package:',
    '',
    '```sh',
    'python3 classify.py "Where is my card?"',
    'node classify.mjs "Where is my card?"',
    '```',
    '',
    'Both say in their comments what becomes of a text: composed (NFC), in small letters, hashed n-grams of words and characters, each weighted by the column, the row brought to one length, then one linear layer and a softmax.',
    '',
  ];
}
