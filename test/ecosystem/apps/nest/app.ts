import "reflect-metadata";
import { Body, Controller, Delete, Get, HttpCode, Module, Param, Post, Query, Redirect, Res } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import type { Response } from "express";
import { LARGE, left } from "../routes.mjs";

@Controller()
class AppController {
  @Get("hello")
  hello(@Query("name") name: string) {
    return `hello ${name}`;
  }

  @Post("json")
  @HttpCode(200)
  json(@Body() body: unknown) {
    return { got: body };
  }

  @Get("throw")
  throw() {
    throw new Error("thrown");
  }

  @Get("redirect")
  @Redirect("/elsewhere?a=1")
  redirect() {}

  @Get("204")
  @HttpCode(204)
  nothing() {}

  @Get("large")
  large() {
    return LARGE;
  }

  @Get("hang")
  hang(@Res() res: Response) {
    res.on("close", () => {
      left.count += 1;
    });
  }

  @Get("left")
  left() {
    return JSON.stringify(left.count > 0);
  }

  @Delete("things/:id")
  remove(@Param("id") id: string) {
    return { deleted: id };
  }
}

@Module({ controllers: [AppController] })
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: false });
await app.init();

export default app.getHttpAdapter().getInstance();
