// What the imports of ../plugins.mjs give.

declare module "worker:*" {
  /** The text of a script that runs by itself in a worker. */
  const text: string;
  export default text;
}

declare module "views:./views" {
  /** The default exports of src/views/*.ts, in order of file name. */
  const views: readonly import("./ui/view.ts").View[];
  export default views;
}
