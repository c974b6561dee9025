import express from "express";
import { createApp } from "./express-app.mjs";

export default createApp(express);
