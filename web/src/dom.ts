// A few lines that make building elements readable.

type Child = Node | string | null | undefined | false;
type Properties = Record<string, unknown>;

/** el makes an element: properties are set as such, except class, aria-* and data-*, which are attributes. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'class' || name.includes('-')) element.setAttribute(name, String(value));
    else (element as unknown as Properties)[name] = value;
  }
  element.append(...children.filter((child): child is Node | string => Boolean(child)));
  return element;
}

export function toast(message: string): void {
  const node = document.getElementById('toast')!;
  node.textContent = message;
  node.hidden = false;
  clearTimeout(Number(node.dataset.timer));
  node.dataset.timer = String(setTimeout(() => (node.hidden = true), 8000));
}
