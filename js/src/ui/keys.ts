/**
 * Keeps the keys pressed inside an element from the notebook's shortcuts. JupyterLab asks the
 * element with the focus itself, so the mark is set on whatever gets it.
 */
export function keepKeys(root: HTMLElement): void {
  root.addEventListener("focusin", (event) => {
    if (event.target instanceof Element) {
      event.target.setAttribute("data-lm-suppress-shortcuts", "true");
    }
  });
}
