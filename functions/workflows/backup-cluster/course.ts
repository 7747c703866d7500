import { backupCourseSchema } from "@pgherd/layers/domain";
import { coursesOf } from "../course.ts";

export const { read: readCourse, write: writeCourse } = coursesOf(backupCourseSchema);
