import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type TypeScript from "typescript";
import { isInstalled } from "./places.ts";

const DECORATOR = /(?:^|[\s(])@[A-Za-z_$]/m;
const TYPED = /\.[cm]?tsx?$/;

type Compiler = (path: string, text: string) => string | null;

/**
 * Compiles modules with decorators whose tsconfig.json sets `emitDecoratorMetadata`, with the project's own TypeScript: the
 * bundler does not emit the types of parameters and properties, by which NestJS, TypeORM and others inject and map.
 */
export class Decorators {
  readonly #say: (text: string) => void;
  /** By the path of a tsconfig.json: a function that compiles; null: its modules need none. */
  readonly #compilers = new Map<string, Compiler | null>();

  constructor(say: (text: string) => void) {
    this.#say = say;
  }

  /** The module as JavaScript (or JSX) with an inline source map; null: the bundler compiles it. */
  compile(path: string, text: string): string | null {
    if (!TYPED.test(path) || isInstalled(path) || !DECORATOR.test(text)) return null;
    const config = configOf(dirname(path));
    if (config === null) return null;
    let compiler = this.#compilers.get(config);
    if (compiler === undefined) {
      compiler = this.#compilerOf(config);
      this.#compilers.set(config, compiler);
    }
    return compiler?.(path, text) ?? null;
  }

  #compilerOf(config: string): Compiler | null {
    const ts = typescriptOf(config);
    if (ts === null) {
      const isSet = readFileSync(config, "utf8").includes("emitDecoratorMetadata");
      if (isSet) this.#say(`warning: ${config} has emitDecoratorMetadata, for which typescript 5 or 6 must be installed beside the code: nothing is emitted`);
      return null;
    }
    const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} };
    const given = ts.getParsedCommandLineOfConfigFile(config, {}, host)?.options ?? {};
    if (!given.emitDecoratorMetadata) return null;
    const options: TypeScript.CompilerOptions = {
      ...given,
      target: ts.ScriptTarget.ES2022,
      // It follows from the target that the project sets.
      useDefineForClassFields: given.useDefineForClassFields ?? (given.target ?? ts.ScriptTarget.ES5) >= ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.Preserve ?? ts.ModuleKind.ESNext,
      jsx: ts.JsxEmit.Preserve,
      inlineSourceMap: true,
      inlineSources: false,
      sourceMap: false,
      declaration: false,
      declarationMap: false,
      composite: false,
      incremental: false,
    };
    return (fileName, text) => {
      const { outputText, diagnostics = [] } = ts.transpileModule(text, { compilerOptions: options, fileName, reportDiagnostics: true });
      // The bundler reports errors with their locations.
      return diagnostics.length > 0 ? null : outputText;
    };
  }
}

/** The nearest tsconfig.json from `dir` upwards. */
function configOf(dir: string): string | null {
  for (let at = dir; ; at = dirname(at)) {
    const path = join(at, "tsconfig.json");
    if (existsSync(path)) return path;
    if (dirname(at) === at) return null;
  }
}

function typescriptOf(config: string): typeof TypeScript | null {
  try {
    const ts = createRequire(config)("typescript") as Partial<typeof TypeScript>;
    return typeof ts.transpileModule === "function" && typeof ts.getParsedCommandLineOfConfigFile === "function" ? (ts as typeof TypeScript) : null;
  } catch {
    return null;
  }
}
