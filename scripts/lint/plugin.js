/** Lint rules of the house (DESIGN §1): who may import whom (`sky/layers`) and where clock, chance and process appear (`sky/ambient`). */
import path from "node:path";
import { AMBIENT_GLOBALS, LOCALE_METHODS, PAGE, PAGE_MAY, RANDOM_OF_CRYPTO, ROOMS } from "./rooms.js";

/** The fixtures of the lint tests are laid out like the repository, so that the rules see them as its rooms. */
const FIXTURES = "test/lint/fixtures/";

/**
 * Where a file stands: its area (src, test, tools, page …) and, below src, its room.
 * @param {string} file absolute path
 * @param {string} root of the repository
 */
function locate(file, root) {
  let relative = path.relative(root, file).replaceAll(path.sep, "/");
  if (relative.startsWith(FIXTURES)) relative = relative.slice(FIXTURES.length);
  if (relative.startsWith(PAGE)) return { area: "page", room: undefined };
  const [area = "", first = "", second = ""] = relative.split("/");
  if (area !== "src") return { area, room: undefined };
  const room = first === "events" ? `events/${second}` : first;
  return { area, room };
}

/** Name of the package that a bare specifier belongs to. @param {string} specifier */
const packageOf = (specifier) =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");

/** Whether an import or export statement is erased with the types. */
function isTypeOnly(node) {
  if (node.importKind === "type" || node.exportKind === "type") return true;
  const specifiers = node.specifiers ?? [];
  return specifiers.length > 0 && specifiers.every((one) => one.importKind === "type" || one.exportKind === "type");
}

/**
 * Why `from` may not import `specifier`; undefined when it may.
 * @param {{ file: string, root: string, specifier: string, typeOnly: boolean, dynamic: boolean }} request
 */
function importProblem({ file, root, specifier, typeOnly, dynamic }) {
  const from = locate(file, root);
  const isRelative = specifier.startsWith("./") || specifier.startsWith("../");
  if (from.area === "page") return pageProblem({ file, root, specifier, typeOnly, isRelative });
  if (isRelative)
    return neighbourProblem(from, locate(path.resolve(path.dirname(file), specifier), root), typeOnly, dynamic);
  if (from.area !== "src") return undefined;
  const rules = ROOMS[from.room];
  if (rules === undefined) return `src/${from.room} is not a room of DESIGN §1; put the file into one.`;
  if (specifier.startsWith("node:")) {
    if (rules.builtins.includes("*") || rules.builtins.includes(specifier)) return undefined;
    return `${from.room} may not import ${specifier}; take what you need as an argument or a port (DESIGN §1).`;
  }
  const name = packageOf(specifier);
  if (rules.packages.includes(name)) return undefined;
  return `${from.room} may not import the package ${name}; if it should, say so in scripts/lint/rooms.js.`;
}

/** Why the inspector's page, which runs in a browser, may not import this; undefined when it may. */
function pageProblem({ file, root, specifier, typeOnly, isRelative }) {
  if (!isRelative)
    return PAGE_MAY.packages.includes(packageOf(specifier)) ? undefined : `the page may not import ${specifier}.`;
  const target = path.resolve(path.dirname(file), specifier);
  const { area } = locate(target, root);
  if (area === "page" || (typeOnly && area === "src")) return undefined;
  const relative = path.relative(root, target).replaceAll(path.sep, "/").replace(FIXTURES, "");
  return PAGE_MAY.values.includes(relative)
    ? undefined
    : "the page imports types of the nodes and pure code (scripts/lint/rooms.js), nothing else.";
}

/** Why an import of our own file is wrong; undefined when it is not. */
function neighbourProblem(from, to, typeOnly, dynamic) {
  if (to.area === "test" && from.area !== "test") return "nothing imports test (DESIGN §1).";
  if (from.area !== "src") return undefined;
  if (to.area === "tools") {
    return from.room === "host" && dynamic ? undefined : "only host may load tools, by dynamic import (DESIGN §1).";
  }
  if (to.area !== "src") return undefined;
  const rules = ROOMS[from.room];
  if (rules === undefined) return `src/${from.room} is not a room of DESIGN §1; put the file into one.`;
  if (from.room === to.room) return undefined;
  const use = rules.rooms[to.room];
  if (use === "all") return undefined;
  if (use === "types") {
    return typeOnly ? undefined : `${from.room} may import only types of ${to.room}: write "import type" (DESIGN §1).`;
  }
  return `${from.room} may not import ${to.room} (DESIGN §1).`;
}

const layers = {
  meta: { type: "problem", docs: { description: "Rooms import only what DESIGN §1 allows." } },
  create(context) {
    const check = (node, source, typeOnly, dynamic) => {
      const specifier = source?.value;
      if (typeof specifier !== "string") return;
      const message = importProblem({ file: context.filename, root: context.cwd, specifier, typeOnly, dynamic });
      if (message !== undefined) context.report({ node, message });
    };
    const statement = (node) => check(node, node.source, isTypeOnly(node), false);
    const { area, room } = locate(context.filename, context.cwd);
    return {
      ImportDeclaration: statement,
      ExportNamedDeclaration: statement,
      ExportAllDeclaration: statement,
      TSImportType: (node) => check(node, node.source ?? node.argument, true, false),
      ImportExpression(node) {
        if (node.source.type === "Literal") check(node, node.source, false, true);
        else if (area === "src" && room !== "host") {
          context.report({ node, message: `${room} may not import by a computed name; only host does (DESIGN §1).` });
        }
      },
    };
  },
};

/** Name of a property, whether written with a dot or as a literal. */
const propertyName = (node) =>
  node.computed ? (node.property.type === "Literal" ? node.property.value : undefined) : node.property.name;

/** Why this use of a global is wrong in a room without ambient access; undefined when it is not. */
function globalProblem(node, rules) {
  const { name, parent } = node;
  if (AMBIENT_GLOBALS.has(name)) return `${name}: ${AMBIENT_GLOBALS.get(name)}`;
  if (name === "Math") {
    const used = parent.type === "MemberExpression" && parent.object === node ? propertyName(parent) : undefined;
    return used === undefined || used === "random" ? "Math.random: take randomness as an argument" : undefined;
  }
  if (name === "Date") {
    if (rules.deterministic) return "Date: judge by log time, which is an argument";
    const converts = parent.type === "NewExpression" && parent.callee === node && parent.arguments.length > 0;
    return converts ? undefined : "Date: take the time as an argument (converting with new Date(ms) is fine)";
  }
  if (name === "Intl" && rules.deterministic) return "Intl: its tables differ between runtimes";
  return undefined;
}

const ambient = {
  meta: {
    type: "problem",
    docs: { description: "Clock, chance, timers and process appear only where DESIGN §1 says." },
  },
  create(context) {
    const { room } = locate(context.filename, context.cwd);
    const rules = room === undefined ? undefined : ROOMS[room];
    if (rules === undefined || rules.ambient) return {};
    const report = (node, what) =>
      context.report({ node, message: `${room} is without clock, chance and I/O (DESIGN §1). ${what}.` });
    const cryptoModule = (specifier) => specifier === "node:crypto";
    return {
      "Program:exit"(program) {
        const scope = context.sourceCode.scopeManager.globalScope ?? context.sourceCode.getScope(program);
        const free = [
          ...scope.through,
          ...scope.variables.filter((one) => one.defs.length === 0).flatMap((one) => one.references),
        ];
        for (const { identifier } of new Set(free)) {
          if (identifier.parent.type.startsWith("TS")) continue;
          const problem = globalProblem(identifier, rules);
          if (problem !== undefined) report(identifier, problem);
        }
      },
      ImportDeclaration(node) {
        if (!cryptoModule(node.source.value) || isTypeOnly(node)) return;
        for (const one of node.specifiers) {
          if (one.type !== "ImportSpecifier")
            report(one, "node:crypto: import its functions by name, so that the rule can see them");
          else if (RANDOM_OF_CRYPTO.has(one.imported.name))
            report(one, `${one.imported.name}: take randomness as an argument`);
        }
      },
      MemberExpression(node) {
        const name = propertyName(node);
        if (rules.deterministic && LOCALE_METHODS.has(name))
          report(node, `${name}: its tables differ between runtimes`);
      },
    };
  },
};

export default { meta: { name: "sky" }, rules: { layers, ambient } };
