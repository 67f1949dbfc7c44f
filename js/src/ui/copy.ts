// Texts on their way to the clipboard.

import { element } from "./dom.ts";

/** A button that copies a text, and says whether the page could. */
export function copies(
  text: () => string,
  name: string,
  announce: (words: string) => void,
): HTMLButtonElement {
  const title = `copy ${name}`;
  const made = element("button", { type: "button", class: "wb-button", title }, "copy");
  made.addEventListener("click", () => {
    void copyText(text()).then((copied) => {
      made.textContent = copied ? "copied" : "not allowed";
      announce(copied ? `${name} copied` : "this page may not copy; select the text");
    });
  });
  made.addEventListener("blur", () => { made.textContent = "copy"; });
  return made;
}

/** Whether the clipboard took the text; pages without a secure context have none. */
export async function copyText(text: string): Promise<boolean> {
  const clipboard = navigator.clipboard as Clipboard | undefined;
  if (clipboard === undefined) return false;
  return clipboard.writeText(text).then(
    () => true,
    () => false,
  );
}
