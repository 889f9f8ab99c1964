/**
 * @module What a person sees, in a terminal or a log, holds no character that a terminal would obey or that turns the
 * text around: no control character (C0 and C1), no formatting character such as those for bidirectional text, no
 * separator of lines or paragraphs, no half of a surrogate pair.
 */
import { Document, Scalar, visit } from 'yaml';

const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
/** But for line ends. */
const unprintableInLines = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** The text as one line: a blank for each such character, line ends among them. */
export function printable(text: string): string {
  return text.replace(unprintable, ' ');
}

/** The text with its line ends, each line as `printable` gives it. */
export function printableLines(text: string): string {
  return text.replace(unprintableInLines, ' ');
}

/** As JSON.stringify, with each such character escaped; indented by `indent` blanks, or on one line. */
export function printableJSON(value: unknown, indent?: number): string {
  return escapedJSON(JSON.stringify(value, null, indent));
}

/** The same JSON with each such character escaped: outside of its strings there are none but line ends. */
export function escapedJSON(json: string): string {
  return escaped(json, (character) =>
    character
      .split('')
      .map((half) => unicodeEscape(half.charCodeAt(0)))
      .join(''),
  );
}

/** As YAML, with each such character escaped. */
export function printableYAML(value: unknown): string {
  const document = new Document(value);
  visit(document, {
    Scalar: (_key, scalar) => {
      // Elsewhere a backslash would be one.
      if (typeof scalar.value === 'string' && scalar.value.search(unprintableInLines) >= 0)
        scalar.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return escaped(document.toString(), (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code > 0xff_ff ? `\\U${code.toString(16).padStart(8, '0')}` : unicodeEscape(code);
  });
}

function escaped(text: string, escape: (character: string) => string): string {
  return text.replace(unprintableInLines, escape);
}

function unicodeEscape(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`;
}
