import { Duration } from "aws-cdk-lib";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { eventHoursMax } from "../../layers/domain/operation/versions.ts";
import { acknowledge, allow } from "./allow.ts";
import { failedEvents, resourceName } from "./names.ts";

/** SQS's own limit: a weekend, and a week to look into it. */
const retention = Duration.days(14);
const eventAgeMax = Duration.hours(eventHoursMax);
/** Lambda's own shortest: the next tick of a timer makes the one before worthless. */
const tickAgeMax = Duration.minutes(1);

type Asynchronous = Pick<IFunction, "configureAsyncInvoke">;

/** Events that functions were sent and could not take, with the reason, for people to look into. */
export class FailureQueue extends Construct {
  readonly queueName: string;
  readonly #queueArn: string;

  constructor(scope: Construct, id: string, props: { readonly environment: string }) {
    super(scope, id);
    this.queueName = resourceName(props.environment, failedEvents);
    const queue = new Queue(this, "Queue", {
      queueName: this.queueName,
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: retention,
    });
    acknowledge(
      queue,
      "AwsSolutions-SQS3",
      "It is where undelivered events end; nothing consumes it but people.",
    );
    this.#queueArn = queue.queueArn;
  }

  /** What is sent to the function is tried three times before it ends here. */
  collect(target: Asynchronous): void {
    this.#configure(target, { retryAttempts: 2, maxEventAge: eventAgeMax });
  }

  /** Timers come again by themselves. */
  collectTicks(target: Asynchronous): void {
    this.#configure(target, { retryAttempts: 0, maxEventAge: tickAgeMax });
  }

  #configure(
    target: Asynchronous,
    tries: { readonly retryAttempts: number; readonly maxEventAge: Duration },
  ): void {
    const queueArn = this.#queueArn;
    target.configureAsyncInvoke({
      ...tries,
      // CDK's own destination also lets functions look the queue up, which none does.
      onFailure: {
        bind: (_scope, fn) => {
          allow(fn, { actions: ["sqs:SendMessage"], resources: [queueArn] });
          return { destination: queueArn };
        },
      },
    });
  }
}
