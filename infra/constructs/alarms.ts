import { Alarm, ComparisonOperator, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import { Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import { Construct } from "constructs";
import { type AlarmEntry, alarmEntries, type Watched } from "./alarm-list.ts";
import { alarmsOfEnvironment, resourceName } from "./names.ts";

/** Everything that somebody has to know of, on by default, and where it goes. Each alarm names its runbook. */
export class EnvironmentAlarms extends Construct {
  constructor(
    scope: Construct,
    id: string,
    props: { readonly watched: Watched; readonly emails: readonly string[]; readonly keyArn: string },
  ) {
    super(scope, id);
    const { emails, keyArn, watched } = props;
    const topic = new Topic(this, "Topic", {
      topicName: resourceName(watched.environment, "alarms"),
      displayName: `pgherd ${watched.environment}`,
      masterKey: Key.fromKeyArn(this, "Key", keyArn),
      enforceSSL: true,
    });
    topic.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal("cloudwatch.amazonaws.com")],
        actions: ["sns:Publish"],
        resources: [topic.topicArn],
        conditions: alarmsOfEnvironment(this, watched.environment),
      }),
    );
    for (const email of emails) topic.addSubscription(new EmailSubscription(email));
    const action = new SnsAction(topic);
    for (const entry of alarmEntries(watched)) {
      const alarm = this.#alarm(watched.environment, entry);
      alarm.addAlarmAction(action);
      alarm.addOkAction(action);
    }
  }

  #alarm(environment: string, entry: AlarmEntry): Alarm {
    const { description, isSignOfLife, metric, name, periods, runbook, threshold } = entry;
    return new Alarm(this, name, {
      alarmName: resourceName(environment, name),
      alarmDescription: `${description}. Runbook: docs/runbooks/${runbook}.md`,
      metric,
      threshold,
      evaluationPeriods: periods,
      ...(isSignOfLife === true
        ? {
            comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
            treatMissingData: TreatMissingData.BREACHING,
          }
        : {
            comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treatMissingData: TreatMissingData.NOT_BREACHING,
          }),
    });
  }
}
