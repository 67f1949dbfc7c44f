// Colours for the texts of the stages: Python by its grammar, the others by a few patterns a line.
// Nothing here understands a program.

import { python } from "@codemirror/lang-python";
import { HighlightStyle, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import type { Extension } from "@codemirror/state";
import { tags } from "@lezer/highlight";
import type { Language } from "../model.ts";

/** Patterns tried in order at each place of a line; the first that fits names the token. */
type Rule = readonly [pattern: RegExp, token: string];

const number: Rule = [/^-?(?:0x[\da-f]+|\d+(?:\.\d*)?(?:e[-+]?\d+)?)[uifh]?\b/i, "number"];
const name: Rule = [/^[\w.]+/, "variableName"];
const operator: Rule = [/^[-+*/%<>=!&|^~]+/, "operator"];

const rules: Readonly<Record<Exclude<Language, "python" | "text">, readonly Rule[]>> = {
  wgsl: [
    [/^\/\/.*/, "comment"],
    [/^@\w+/, "meta"],
    [/^(?:fn|var|let|const|struct|override)\b/, "keyword"],
    [/^(?:for|while|loop|if|else|return|break|continue)\b/, "keyword"],
    [/^(?:f32|f16|i32|u32|bool|vec[234]\w*|mat\w+|array|atomic|ptr)\b/, "typeName"],
    [/^(?:storage|uniform|workgroup|private|function|read_write|read|write)\b/, "modifier"],
    [/^(?:true|false)\b/, "bool"],
    [/^[A-Za-z_]\w*(?=\()/, "variableName.function"],
    number,
    name,
    operator,
  ],
  llvm: [
    [/^;.*/, "comment"],
    [/^[%@][\w.$]+/, "variableName"],
    [/^[!#][\w.]*/, "meta"],
    [/^(?:define|declare|ret|br|switch|phi|call|tail)\b/, "keyword"],
    [/^(?:load|store|getelementptr|select|alloca)\b/, "keyword"],
    [/^(?:to|label|inbounds|nuw|nsw|fast|contract|align|noalias|nocapture|readonly)\b/, "modifier"],
    [/^(?:i\d+|float|double|half|void|ptr|x)\b/, "typeName"],
    [/^"[^"]*"/, "string"],
    [/^[a-z]\w*(?=\s)/, "variableName.function"],
    number,
    name,
    operator,
  ],
  asm: [
    [/^(?:#|;|\/\/).*/, "comment"],
    [/^\s*\.[\w.]+/, "meta"],
    [/^[.\w$]+:/, "labelName"],
    [/^%[a-z]\w*/, "variableName"],
    [/^\b[xyz]mm\d+\b/, "variableName"],
    [/^\$?-?(?:0x[\da-f]+|\d+)\b/i, "number"],
    [/^[a-z]\w*(?=\s|$)/, "keyword"],
    name,
    operator,
  ],
  wasm: [
    [/^;;.*/, "comment"],
    [/^(?:module|func|param|result|local|export|import|memory)\b/, "keyword"],
    [/^(?:block|loop|end|if|else)\b/, "keyword"],
    [/^(?:i32|i64|f32|f64|v128)\b(?!\.)/, "typeName"],
    [/^\$[\w.]+/, "variableName"],
    [/^"[^"]*"/, "string"],
    [/^[a-z]\w*\.[\w.]+/, "variableName.function"],
    number,
    name,
    operator,
  ],
};

/** The language of a stage as an extension of a pane. */
export function languageOf(language: Language): Extension {
  switch (language) {
    case "python":
      return python();
    case "text":
      return [];
    case "wgsl":
    case "llvm":
    case "asm":
    case "wasm":
      return byPatterns(language);
  }
}

const made = new Map<string, Extension>();

function byPatterns(language: keyof typeof rules): Extension {
  const known = made.get(language);
  if (known !== undefined) return known;
  const patterns = rules[language];
  const extension = StreamLanguage.define({
    name: language,
    token(stream) {
      if (stream.eatSpace()) return null;
      for (const [pattern, token] of patterns) if (stream.match(pattern) !== null) return token;
      stream.next();
      return null;
    },
    languageData: { commentTokens: { line: "//" } },
  });
  made.set(language, extension);
  return extension;
}

/** Colours from the notebook's own variables, so that a pane looks like a cell. */
export const colours: Extension = syntaxHighlighting(
  HighlightStyle.define([
    { tag: tags.comment, color: "var(--wb-comment)", fontStyle: "italic" },
    { tag: [tags.keyword, tags.modifier], color: "var(--wb-keyword)" },
    { tag: tags.controlKeyword, color: "var(--wb-keyword)", fontWeight: "600" },
    { tag: [tags.number, tags.bool, tags.atom], color: "var(--wb-number)" },
    { tag: tags.string, color: "var(--wb-string)" },
    { tag: [tags.typeName, tags.className], color: "var(--wb-type)" },
    { tag: [tags.meta, tags.labelName], color: "var(--wb-meta)" },
    { tag: tags.function(tags.variableName), color: "var(--wb-function)" },
    { tag: tags.standard(tags.function(tags.variableName)), color: "var(--wb-function)" },
    { tag: tags.definition(tags.variableName), color: "var(--wb-text)" },
  ]),
);
